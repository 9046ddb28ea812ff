"""What the server reports of its work: error log, access log, trace."""
