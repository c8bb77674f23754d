"""Tests mirror lcw_assets. They use real servers on loopback, real files and real processes; nothing is mocked."""
