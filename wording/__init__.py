"""The catalogues' upkeep: what the sources say to people, gathered into sms_service/locale by `make messages`."""
