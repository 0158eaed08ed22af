"""What any network costs: parameters, MACs, elementwise operations, activations."""
