"""The models that chroma ships, and its demo photographs."""
