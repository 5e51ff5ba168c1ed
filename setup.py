"""The list of packages; all else is in setup.cfg, which cannot say that one lies elsewhere."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["projector*", "api*"]), "projector.migrations"],
    package_dir={"projector.migrations": "migrations"},
)
