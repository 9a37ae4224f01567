"""`make conformance`: the official agents and the plugin, side by side before the stand-in.

SPDX-License-Identifier: MIT
"""
