"""The dense sigmoid network, trained and run by TensorFlow."""
