"""What answers from an export folder: OpenVINO or onnxruntime, and NumPy. Neither torch nor scikit-learn."""
