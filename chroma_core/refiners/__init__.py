"""Reference refiner stages."""
