"""A stand-in for HotWax, importer and database, to run the product against as in production."""
