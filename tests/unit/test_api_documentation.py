"""The page of the API's documentation, from a schema."""

from __future__ import annotations

from public_api import documentation

SCHEMA = {
    "info": {"title": "Songs", "version": "1", "description": "All of them."},
    "paths": {
        "/songs/{id}": {
            "put": {
                "operationId": "put_song",
                "summary": "Store a song",
                "tags": ["Songs"],
                "parameters": [
                    {"in": "path", "name": "id", "required": True, "schema": {"type": "integer", "minimum": 1}}
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Song"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Song"}}}},
                    "404": {},
                    "400": {},
                },
            },
            "get": {
                "operationId": "get_song",
                "summary": "Hear a song",
                "responses": {"200": {"content": {"audio/mpeg": {"schema": {"type": "string"}}}}},
            },
        }
    },
    "components": {
        "schemas": {
            "Song": {
                "required": ["title"],
                "properties": {
                    "title": {"type": "string", "maxLength": 9, "description": "Its name."},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Song"}},
                    "key": {"anyOf": [{"enum": ["C", "D"]}, {"type": "null"}]},
                },
            }
        }
    },
}


def test_operations_are_sorted_by_subject_with_their_faults():
    read = documentation.read(SCHEMA)
    assert [(section.heading, [one.summary for one in section.operations]) for section in read.sections] == [
        ("Songs", ["Store a song"]),
        ("Other", ["Hear a song"]),
    ]
    assert read.sections[0].operations[0].faults == (400, 404)


def test_parameters_and_fields_say_what_they_are_in_words():
    put = documentation.read(SCHEMA).sections[0].operations[0]
    assert [(row.name, row.where, row.kind, row.required) for row in put.inputs] == [
        ("id", "path", "integer, from 1", True),
        ("title", "body", "string, at most 9 characters", True),
        ("parts", "body", "list of Song", False),
        ("key", "body", "C, D or null", False),
    ]
    assert [row.name for row in put.answers[0].rows] == ["title", "parts", "key"]


def test_what_is_no_json_is_told_by_its_kind():
    get = documentation.read(SCHEMA).sections[1].operations[0]
    assert (get.answers[0].status, get.answers[0].phrase, get.answers[0].media) == (200, "OK", "audio/mpeg")
    assert get.answers[0].rows == ()
