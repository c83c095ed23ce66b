"""Stages that OpenCV computes: dense SIFT, DAISY, edge-aware filters, LAB."""
