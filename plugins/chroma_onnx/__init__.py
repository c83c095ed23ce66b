"""Stages that run ONNX networks: the plugin of chroma's extra ``onnx``."""
