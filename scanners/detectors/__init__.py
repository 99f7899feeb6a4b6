"""The detectors, in an explicit list: to add one, write its class in a file here and add it below."""

from __future__ import annotations

from typing import Final

from scanners.detectors.base import Candidate, Detector
from scanners.detectors.cn_license_plate import CnLicensePlate
from scanners.detectors.cn_passport import CnPassport
from scanners.detectors.cn_resident_id import CnResidentId
from scanners.detectors.credential import Credential
from scanners.detectors.credit_card import CreditCard
from scanners.detectors.date_of_birth import DateOfBirth
from scanners.detectors.email_address import EmailAddress
from scanners.detectors.ip_address import IpAddress
from scanners.detectors.phone_number import PhoneNumber

DETECTORS: Final[tuple[Detector, ...]] = (
    CnResidentId(),
    PhoneNumber(),
    CreditCard(),
    EmailAddress(),
    CnPassport(),
    CnLicensePlate(),
    DateOfBirth(),
    IpAddress(),
    Credential(),
)

__all__ = ["DETECTORS", "Candidate", "Detector"]
