# dynamirror in a container; deploy/README.md tells how to run it.
#
#   docker build -t dynamirror .
#
# Behind an own package index or certificate authority, two optional secrets reach pip and leave no trace in the image:
#
#   docker build --secret id=pip.conf,src=pip.conf --secret id=ca.pem,src=ca.pem -t dynamirror .
#
# pip finds the second one by the line `cert = /run/secrets/ca.pem` in the first.

# Any Debian or Ubuntu with a python3 from 3.11 on and its venv module.
ARG BASE=python:3.12-slim
# What --version says; the build fails where it is another.
ARG VERSION=0.1.0


FROM ${BASE} AS dependencies
# `demo` brings the emulator that `dynamirror demo` runs on; empty, the image is smaller and has no demo.
ARG EXTRAS=demo
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# pip and setuptools stay in a place of their own, so that the result has neither.
RUN python3 -m venv --without-pip /opt/dynamirror && python3 -m venv /opt/tools
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# Wheels only: nothing is compiled, so that no stage needs a compiler. The bytecode never looks at its source again:
# the disk is read-only.
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    python3 -c 'import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print(*project["dependencies"], *(one for extra in sys.argv[1:] for one in project["optional-dependencies"][extra]), sep="\n")' \
        ${EXTRAS} > requirements.txt \
    && /opt/tools/bin/pip --python /opt/dynamirror/bin/python install --no-compile --only-binary=:all: \
        -c constraints.txt -r requirements.txt \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dynamirror/lib


FROM dependencies AS own
ARG VERSION
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    /opt/tools/bin/pip install --only-binary=:all: -c constraints.txt setuptools
COPY README.md LICENSE ./
COPY schemas schemas
COPY api api
COPY service service
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/tools/bin/pip --python /opt/dynamirror/bin/python install --no-deps --no-compile --root /own wheels/*.whl \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -s /own /own/opt/dynamirror/lib \
    && ls wheels && test -e "wheels/dynamirror-${VERSION}-py3-none-any.whl"


FROM ${BASE}
ARG VERSION
LABEL org.opencontainers.image.title="dynamirror" \
      org.opencontainers.image.description="Replicates one DynamoDB table to another through DynamoDB Streams, in order and without loss." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /home/dynamirror --shell /usr/sbin/nologin dynamirror
# Its home is root's: nothing is ever written there. A `.env` or an `.aws` may be mounted into it.
WORKDIR /home/dynamirror
# The dependencies are a layer of their own, which a new release most often leaves as it is.
COPY --from=dependencies /opt/dynamirror /opt/dynamirror
COPY --from=own /own /
ENV PATH=/opt/dynamirror/bin:${PATH} PYTHONDONTWRITEBYTECODE=1
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "service.health_check"]
ENTRYPOINT ["dynamirror"]
CMD ["run"]
