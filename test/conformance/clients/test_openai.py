"""OpenAI's client against /v1/files."""

import io

import openai
import pytest

CLIENT = "openai"

LINES = b'{"custom_id":"1"}\n{"custom_id":"\xc3\xb6"}\n'


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(api_key="none-needed", base_url=f"{url}/v1", max_retries=0) as made:
        yield made


def upload(client, name="lines.jsonl", **options):
    return client.files.create(file=(name, io.BytesIO(LINES)), purpose="batch", **options)


def test_upload(client):
    """A file is uploaded, and described as OpenAI describes it"""
    file = upload(client)
    assert (file.object, file.filename, file.purpose) == ("file", "lines.jsonl", "batch")
    assert file.bytes == len(LINES)
    assert client.files.retrieve(file.id) == file


def test_content(client):
    """Its bytes come back"""
    assert client.files.content(upload(client).id).read() == LINES


def test_expiry(client):
    """A file is kept for as long as its sender says"""
    file = upload(client, expires_after={"anchor": "created_at", "seconds": 3600})
    assert file.expires_at == file.created_at + 3600


def test_list(client):
    """Files are listed page by page, newest first"""
    made = [upload(client, f"{number}.jsonl").id for number in range(5)]
    listed = []
    for file in client.files.list(limit=2, purpose="batch"):
        listed.append(file.id)
        if file.id == made[0]:
            break
    assert listed == made[::-1]


def test_delete(client):
    """A file is deleted"""
    file = upload(client)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_refusals(client):
    """What is refused is an error of the client's own, with the reason"""
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=("a.jsonl", io.BytesIO(LINES)), purpose="fine-tune")
    with pytest.raises(openai.NotFoundError):
        client.files.content("file-nobody")
