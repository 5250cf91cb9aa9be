"""Ingestion: devices over MQTT, Kinesis streams, uploaded files."""
