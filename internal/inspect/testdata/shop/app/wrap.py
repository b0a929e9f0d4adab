import os


def env(name, default=None):
    return os.getenv(name, default)


environ = os.environ
get = environ.get
WRAPPED = environ["BY_ALIAS"]
OTHER = get("BY_METHOD", "x")
