"""What a model is and what it answers, and answers from an export folder; without torch and scikit-learn."""
