"""chroma: automatic colorization of grayscale photographs."""
