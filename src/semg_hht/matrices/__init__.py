"""Transform a repetition to a Matrix, the input of the network."""
