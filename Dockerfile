# Two stages: the first installs, the second runs, without a compiler, as nobody in particular.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/router
COPY requirements.txt ./
RUN /opt/router/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY router router
COPY rules.yaml /etc/router/rules.yaml
COPY templates /etc/router/templates
# Whatever the umask of the clone was, the user who runs it may read it.
RUN cp -r router "$(/opt/router/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/router" \
 && printf '#!/opt/router/bin/python\nfrom router.cli import main\nmain()\n' > /opt/router/bin/router \
 && chmod 755 /opt/router/bin/router \
 && /opt/router/bin/python -m compileall -q /opt/router/lib \
 && chmod -R a+rX /opt/router /etc/router

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin router \
 && mkdir /data && chown router /data
COPY --from=build /opt/router /opt/router
COPY --from=build /etc/router /etc/router
ENV PATH=/opt/router/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ROUTER_RULES=/etc/router/rules.yaml \
    ROUTER_DATABASE_URL=sqlite:////data/router.db \
    ROUTER_HOST=0.0.0.0 \
    ROUTER_PORT=8000
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --retries=3 CMD ["router", "healthcheck"]
ENTRYPOINT ["router"]
CMD ["serve"]
