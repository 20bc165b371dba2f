# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab host: what a machine needs so that KinD clusters of real Kubernetes can run on it.

``python -m tools.lab_host up|down|status``, as root, from the checkout. Standard library only.
"""
