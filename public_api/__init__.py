"""The HTTP API for programs: tokens, and doors to what the pages do."""
