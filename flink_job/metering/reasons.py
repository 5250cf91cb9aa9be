"""Reason codes of the tables `rejected` and `unpriced`. They are a published contract: codes are never renamed."""

from __future__ import annotations

from enum import StrEnum


class _Reason(StrEnum):
    """A reason code with its documentation."""

    doc: str

    def __new__(cls, code: str, doc: str) -> _Reason:
        member = str.__new__(cls, code)
        member._value_ = code
        member.doc = doc
        return member


class Rejection(_Reason):
    """Why a record is in `rejected`."""

    OVERSIZED = "oversized", "The record is larger than the setting `max_record_bytes`"
    NOT_UTF8 = "not_utf8", "The record is not UTF-8"
    NOT_JSON = "not_json", "The record is not valid JSON"
    NOT_CSV = "not_csv", "The CSV line is malformed, or does not match its header"
    BAD_ENVELOPE = "bad_envelope", "The envelope is malformed: payload is not base64, or thing or tenant is invalid"
    NEWER_SCHEMA = "newer_schema", "`schema_version` is newer than the version that the job supports"
    MISSING_FIELD = "missing_field", "A required field is missing or empty"
    WRONG_TYPE = "wrong_type", "A field has the wrong type or an unknown value"
    AMBIGUOUS = "ambiguous", "More than one quantity is given"
    UNKNOWN_CHANNEL = "unknown_channel", "The channel does not exist"
    UNKNOWN_UNIT = "unknown_unit", "The channel cannot be measured in this unit"
    NOT_FINITE = "not_finite", "A number is NaN or infinite"
    NEGATIVE_ENERGY = "negative_energy", "An energy or register value is negative"
    OUT_OF_RANGE = "out_of_range", "A number or text exceeds its limit, or a name contains control characters"
    BAD_INTERVAL = "bad_interval", "`interval_s` is outside its range"
    BAD_TIMESTAMP = "bad_timestamp", "`interval_start` is not an ISO 8601 time or epoch milliseconds"
    NO_OFFSET = "no_offset", "`interval_start` has no UTC offset"
    TOO_OLD = "too_old", "`interval_start` is before the year 2000"
    IN_FUTURE = "in_future", "`interval_start` is more than `max_future_s` after arrival"
    FOREIGN_DEVICE = "foreign_device", "The device is not listed in the contract of the meter"
    NOT_A_CONTRACT = "not_a_contract", "The record of the contracts stream is not a valid contract"
    UNREADABLE = "unreadable", "Unexpected error while reading the record; `detail` has the exception"


#: In place of a reason: the reading of a sensor has no price and needs none, so it is in `measurements` alone.
SENSOR = "sensor"


class Unpriced(_Reason):
    """Why a reading is in `unpriced`."""

    NO_CONTRACT = "no_contract", "The meter has no valid contract; invalid contracts are in `rejected`"
    NO_ASSIGNMENT = "no_assignment", "The interval is before the first tariff assignment of the contract"
    NO_SUPPLY = "no_supply", "The supply point of the meter has no terms"
    NO_BILLING_CYCLE = "no_billing_cycle", "`cycle_starts` of the contract does not cover the interval"
    UNKNOWN_TARIFF = "unknown_tariff", "The tariff registry does not contain the tariff"
    NO_TARIFF_VERSION = "no_tariff_version", "No version of the tariff is in force at the interval"
    NO_PRICE = "no_price", "The price series of the tariff has no price up to the interval"
    CALENDAR_YEAR_MISSING = "calendar_year_missing", "The tariff's calendar has no holidays for the year"
    QUANTITY_OUT_OF_RANGE = "quantity_out_of_range", "The quantity times the contract's multiplier is too large"
    UNRESOLVABLE = "unresolvable", "Unexpected error in a contract or tariff; `detail` has the exception"
