"""Small models of the true architectures with random weights, written as the published ones are."""
