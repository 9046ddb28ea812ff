"""placeholder"""
WSGIRequestHandler = WSGIServer = make_server = None
