"""What comes in: devices over MQTT, streams, uploaded files."""
