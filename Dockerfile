# Hadron in a container. docs/operations/container.md tells how it is built, run, upgraded and kept.
#
#   docker build --tag hadron --build-arg TERRAFORM_VERSION=… --build-arg TERRAFORM_SHA256=… .    agent, `up`, `demo`: all
#   docker build --tag hadron-server --target server .                                            `hadron serve` alone
#
# A binary that is there already takes the place of the stage `build`: --build-context build=DIR, with DIR/out/hadron.

# Name them by digest (debian@sha256:…) where the same bytes must come out again.
ARG RUST=docker.io/library/rust:1.95-trixie
ARG DEBIAN=docker.io/library/debian:trixie-slim

FROM ${RUST} AS build
WORKDIR /src
COPY . .
# --locked: the crates are those of Cargo.lock with their checksums, or the build fails.
RUN cargo build --release --locked --bin hadron && install -D -m 0755 target/release/hadron /out/hadron

# Terraform is left out unless a version is named; then its archive must have the named digest, which is in the line of
# this platform in terraform_VERSION_SHA256SUMS. Its licence comes along.
FROM ${DEBIAN} AS terraform
ARG TERRAFORM_VERSION=
ARG TERRAFORM_SHA256=
ARG TERRAFORM_RELEASES=https://releases.hashicorp.com/terraform
ARG TARGETARCH=amd64
ARG DEBIAN_FRONTEND=noninteractive
RUN set -eu; mkdir -p /out/bin /out/licence; \
    if [ -z "${TERRAFORM_VERSION}" ]; then exit 0; fi; \
    apt-get update -qq; \
    apt-get install -qq -y --no-install-recommends ca-certificates curl unzip >/dev/null; \
    archive="terraform_${TERRAFORM_VERSION}_linux_${TARGETARCH}.zip"; \
    curl -fsSL -o "/tmp/${archive}" "${TERRAFORM_RELEASES}/${TERRAFORM_VERSION}/${archive}"; \
    echo "${TERRAFORM_SHA256}  /tmp/${archive}" | sha256sum --check --strict -; \
    unzip -q "/tmp/${archive}" -d /out/licence; \
    mv /out/licence/terraform /out/bin/terraform; \
    chmod 0755 /out/bin/terraform

# What both images are: the certificates (S3, KMS, webhooks, PostgreSQL), the user, the data folder, the binary.
FROM ${DEBIAN} AS system
ARG DEBIAN_FRONTEND=noninteractive
RUN set -eu; \
    apt-get update -qq; \
    apt-get install -qq -y --no-install-recommends ca-certificates >/dev/null; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/*; \
    echo 'hadron:x:65532:65532::/var/lib/hadron:/usr/sbin/nologin' >>/etc/passwd; \
    echo 'hadron:x:65532:' >>/etc/group; \
    install -d -o 65532 -g 65532 -m 0700 /var/lib/hadron
COPY --from=build --chmod=0755 /out/hadron /usr/local/bin/hadron

# The binary is linked with glibc, libm and libgcc_s and nothing else: they and the certificates are the whole image.
FROM system AS server-files
RUN set -eu; mkdir -p /server/tmp; chmod 1777 /server/tmp; cd /server; \
    ldd /usr/local/bin/hadron | grep -o '/[^ ]*' | sort -u | xargs cp --parents --dereference -t .; \
    cp --parents -a /usr/local/bin/hadron /etc/passwd /etc/group /var/lib/hadron /etc/ssl/certs/ca-certificates.crt .; \
    echo 'hosts: files dns' >etc/nsswitch.conf

FROM scratch AS server
COPY --from=server-files /server/ /
# The one place that is written to besides /tmp. HOME is there for what Terraform, git and the AWS SDK keep of their own.
# A container's stdout is a log, which is no place for the first admin key.
ENV PATH=/usr/local/bin:/usr/bin:/bin HADRON_DATA=/var/lib/hadron HOME=/var/lib/hadron HADRON_PRINT_KEYS=false
VOLUME /var/lib/hadron
WORKDIR /var/lib/hadron
# By number: Kubernetes' runAsNonRoot can't know what a name stands for.
USER 65532:65532
EXPOSE 9440
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/usr/local/bin/hadron", "health"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hadron-server" \
      org.opencontainers.image.description="Hadron's control plane: it speaks AWS Proton's wire protocol" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# Process 1 is hadron itself: it buries orphans and hands signals on (docs/shutdown.md), so there is no tini.
ENTRYPOINT ["/usr/local/bin/hadron"]
CMD ["serve"]

FROM system AS agent
ARG DEBIAN_FRONTEND=noninteractive
# git: modules with a git:: source, requests with what an agent may not apply, `hadron import`, `hadron run`.
RUN set -eu; \
    apt-get update -qq; \
    apt-get install -qq -y --no-install-recommends git >/dev/null; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/*
COPY --from=terraform /out/licence/ /usr/share/licenses/terraform/
COPY --from=terraform /out/bin/ /usr/local/bin/
ENV PATH=/usr/local/bin:/usr/bin:/bin HADRON_DATA=/var/lib/hadron HOME=/var/lib/hadron HADRON_PRINT_KEYS=false
VOLUME /var/lib/hadron
WORKDIR /var/lib/hadron
USER 65532:65532
EXPOSE 9440
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/usr/local/bin/hadron", "health"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hadron" \
      org.opencontainers.image.description="Proton after Proton: a Terraform provisioning agent and a Proton-compatible control plane" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
ENTRYPOINT ["/usr/local/bin/hadron"]
CMD ["agent"]
