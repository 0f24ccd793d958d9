"""`python -m deploy.images.tenant`: build the tenant's image if need be, and print its reference."""

import sys

import docker

from deploy.images.tenant import image
from deploy.local.trouble import Trouble

if __name__ == "__main__":
    try:
        print(image.ensure(docker.from_env(timeout=300)))  # noqa: T201 - the reference is the answer
    except Trouble as trouble:
        sys.exit(str(trouble))
