"""The guide's service functions, for sync code in any thread of any process: a Flask view, a Celery task, a script."""
