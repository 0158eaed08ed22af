"""Networks for use elsewhere: programs of torch.export, ONNX files, and their model cards."""
