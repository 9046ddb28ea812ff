"""The tests: a folder for each of the package, and these besides.

    front/       the command, make_server() and the stand-in for wsgiref, the demo, the choice of the build
    whole/       whole servers: real applications, proxies in front, uploads, leaks
    house/       the house itself: layers, packaging, documents, benchmarks, the tools of ci/
    helpers/     what tests share; programs of it run in processes of their own are in isolated/
    http_cases/  what the server answers to which bytes, as data
"""
