"""The image that the Dockerfile makes, and what deploy/ runs it with: built and started by Debian's buildah."""
