FROM python:3.13-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY bridge ./bridge
RUN python -m venv /opt/bridge && /opt/bridge/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="1C-bridge" \
      org.opencontainers.image.description="The bridge between 1C:Enterprise (UT 11) and a cloud PBX" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin bridge \
    && install -d -o bridge -g bridge -m 0700 /data
COPY --from=build /opt/bridge /opt/bridge
ENV PATH="/opt/bridge/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    BRIDGE_HOST=0.0.0.0 \
    BRIDGE_DATA_DIR=/data
WORKDIR /data
VOLUME /data
EXPOSE 8000
USER bridge
# A proxy of the environment must not stand between the check and its own container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('BRIDGE_PORT') or 8000}/healthz\", timeout=4)"]
CMD ["onec-bridge", "serve"]
