"""The SQL files that make the schema; projector/infrastructure/migrations.py applies them."""
