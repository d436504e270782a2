"""A web application whose every process can be told apart: it answers with an id that it made when it started."""

from uuid import uuid4

from fastapi import FastAPI

app = FastAPI()
ID = str(uuid4())


@app.get("/")
async def identity() -> dict[str, str]:
    """Which process answered."""
    return {"uuid": ID}


@app.get("/health")
async def health() -> dict[str, str]:
    """For readiness and liveness probes."""
    return {"status": "ok"}
