"""When campaigns fire: recurring, in series, tied to an event; and the calendars they follow."""
