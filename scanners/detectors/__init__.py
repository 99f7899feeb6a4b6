"""The detectors, in an explicit list: to add one, write its class in a file here and add it below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.errors import UsageError
from config.schema import DetectSettings
from scanners.detectors.allowed import Allowed
from scanners.detectors.base import Candidate, Detector
from scanners.detectors.card_track_data import CardTrackData
from scanners.detectors.cn_foreigner_id import CnForeignerId
from scanners.detectors.cn_license_plate import CnLicensePlate
from scanners.detectors.cn_passport import CnPassport
from scanners.detectors.cn_resident_id import CnResidentId
from scanners.detectors.cn_travel_permit import CnTravelPermit
from scanners.detectors.credential import Credential
from scanners.detectors.credit_card import CreditCard
from scanners.detectors.custom import make_custom
from scanners.detectors.date_of_birth import DateOfBirth
from scanners.detectors.email_address import EmailAddress
from scanners.detectors.hk_id_card import HkIdCard
from scanners.detectors.iban_code import IbanCode
from scanners.detectors.ip_address import IpAddress
from scanners.detectors.location_coordinates import LocationCoordinates
from scanners.detectors.mo_id_card import MoIdCard
from scanners.detectors.phone_number import PhoneNumber
from scanners.detectors.qq_number import QqNumber
from scanners.detectors.tw_national_id import TwNationalId
from scanners.detectors.wechat_id import WechatId

DETECTORS: Final[tuple[Detector, ...]] = (
    CnResidentId(),
    PhoneNumber(),
    CreditCard(),
    CardTrackData(),
    EmailAddress(),
    CnPassport(),
    CnTravelPermit(),
    CnForeignerId(),
    CnLicensePlate(),
    HkIdCard(),
    MoIdCard(),
    TwNationalId(),
    DateOfBirth(),
    WechatId(),
    QqNumber(),
    IbanCode(),
    LocationCoordinates(),
    IpAddress(),
    Credential(),
)


RESERVED: Final = frozenset({"PERSON", "ADDRESS", "MEMBER_ID", *(detector.entity for detector in DETECTORS)})


def detectors_for(settings: DetectSettings) -> Sequence[Detector]:
    """The detectors that some settings ask for: without those of `exclude`, with those of `custom` and MEMBER_ID.

    Raises:
        UsageError: a name of `custom` is in use already, or one of `exclude` is nothing's.
    """
    every = [*DETECTORS, *make_custom(settings, RESERVED)]
    known = RESERVED | {detector.entity for detector in every}
    for number, name in enumerate(settings.exclude):
        if name not in known and not settings.countries:  # Presidio's national entities have names of their own
            raise UsageError(f"detect.exclude.{number}: nothing is called {name}")
    return tuple(detector for detector in every if detector.entity not in settings.exclude)


__all__ = ["DETECTORS", "Allowed", "Candidate", "Detector", "detectors_for"]
