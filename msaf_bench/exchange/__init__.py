"""Export of networks: torch.export programs, ONNX files and their model cards."""
