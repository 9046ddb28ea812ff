"""What the server tells of its work: error log, access log, trace."""
