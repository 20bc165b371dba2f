// Copyright (c) 2026 edge.mesh contributors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package loader asks istiod's own code about the bundles of a directory (run by test_verdicts.py, which makes them).
package loader

import (
	"os"
	"path/filepath"
	"testing"

	"istio.io/istio/security/pkg/pki/util"
)

// TestVerdicts loads every bundle below EDGE_MESH_BUNDLES as istiod loads a plugged-in CA. A directory's file "expected"
// says "loads" or "refuses".
func TestVerdicts(t *testing.T) {
	top := os.Getenv("EDGE_MESH_BUNDLES")
	if top == "" {
		t.Fatal("EDGE_MESH_BUNDLES doesn't name a directory")
	}
	bundles, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	if len(bundles) == 0 {
		t.Fatalf("%s holds no bundle", top)
	}
	for _, bundle := range bundles {
		t.Run(bundle.Name(), func(t *testing.T) {
			in := func(name string) string { return filepath.Join(top, bundle.Name(), name) }
			expected, err := os.ReadFile(in("expected"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = util.NewVerifiedKeyCertBundleFromFile(
				in("ca-cert.pem"), in("ca-key.pem"), []string{in("cert-chain.pem")}, in("root-cert.pem"), "")
			verdict := "loads"
			if err != nil {
				verdict = "refuses"
			}
			if verdict != string(expected) {
				t.Errorf("istiod %s it (%v), and the table says %s", verdict, err, expected)
			}
		})
	}
}
