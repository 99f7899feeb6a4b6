"""The first tables of head office. Written by packaging/hq_migration.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from central.database.partitions import make_default
from central.database.storage import compress_fast
from central.models.base import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All tables."""
    op.create_table(
        "acts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("act", sa.String(length=40), nullable=False),
        sa.Column("store_id", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.String(length=300), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("acts_pkey")),
    )
    op.create_index("acts_at", "acts", ["at"], unique=False)
    op.create_index("acts_store", "acts", ["store_id", "at"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("attempts_pkey")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("by_id", sa.String(length=40), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("cases_pkey")),
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("done", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("duties_pkey")),
    )
    op.create_table(
        "entities",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("credit_code", sa.String(length=18), nullable=False),
        sa.Column("province", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("entities_pkey")),
    )
    op.create_table(
        "events",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "at", "number", "place", name=op.f("events_pkey")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("events_at", "events", ["at"], unique=False)
    op.create_table(
        "facts",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("facts_pkey")),
    )
    op.create_table(
        "fleet_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entity_id", sa.String(length=40), nullable=False),
        sa.Column("region_id", sa.String(length=40), nullable=False),
        sa.Column("stores", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("exposed", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("open_alerts", sa.BigInteger(), nullable=False),
        sa.Column("open_incidents", sa.BigInteger(), nullable=False),
        sa.Column("scores", sa.BigInteger(), nullable=False),
        sa.Column("scored", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "entity_id", "region_id", name=op.f("fleet_days_pkey")),
    )
    op.create_table(
        "news_marks",
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=120), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "subject", name=op.f("news_marks_pkey")),
    )
    op.create_table(
        "officer_versions",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("in_force_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("officer_versions_pkey")),
    )
    op.create_table(
        "once_keys",
        sa.Column("token_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "digest", name=op.f("once_keys_pkey")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("signatures", sa.JSON(), nullable=False),
        sa.Column("officers_needed", sa.BigInteger(), nullable=False),
        sa.Column("by_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.Column("withdrawn_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_pkey")),
    )
    op.create_index(op.f("orders_case_id"), "orders", ["case_id"], unique=False)
    op.create_index("orders_made", "orders", ["made_at"], unique=False)
    op.create_index("orders_sent", "orders", ["sent_at"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("login", sa.String(length=80), nullable=True),
        sa.Column("passphrase", sa.String(length=200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("mail", sa.String(length=200), nullable=False),
        sa.Column("mobile", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("substitute_id", sa.String(length=40), nullable=True),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("left_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("people_pkey")),
        sa.UniqueConstraint("login", name=op.f("people_login_key")),
        sa.UniqueConstraint("subject", name=op.f("people_subject_key")),
    )
    op.create_table(
        "provider_requests",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("onward", sa.String(length=300), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("provider_requests_pkey")),
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("regions_pkey")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("store_name", sa.String(length=200), nullable=False),
        sa.Column("store_id", sa.String(length=40), nullable=True),
        sa.Column("entity_id", sa.String(length=40), nullable=True),
        sa.Column("region_id", sa.String(length=40), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tokens_pkey")),
    )
    op.create_table(
        "views",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("views_pkey")),
    )
    op.create_index("views_at", "views", ["at"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("by_id", sa.String(length=40), nullable=False),
        sa.Column("paused_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("api_tokens_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_tokens_pkey")),
    )
    op.create_table(
        "grants",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("grants_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "role", "scope", "scope_id", name=op.f("grants_pkey")),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("invitations_person_id_fkey")),
        sa.PrimaryKeyConstraint("digest", name=op.f("invitations_pkey")),
    )
    op.create_table(
        "logins",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("second_at", Moment(), nullable=True),
        sa.Column("by_provider", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("agent", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("logins_person_id_fkey")),
        sa.PrimaryKeyConstraint("digest", name=op.f("logins_pkey")),
    )
    op.create_index("logins_person", "logins", ["person_id"], unique=False)
    op.create_table(
        "officer_keys",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=40), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("officer_keys_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "public_key", name=op.f("officer_keys_pkey")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("recovery_codes_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "digest", name=op.f("recovery_codes_pkey")),
    )
    op.create_table(
        "stores",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("entity_id", sa.String(length=40), nullable=True),
        sa.Column("region_id", sa.String(length=40), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("enrolled_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("heard_at", Moment(), nullable=True),
        sa.Column("scanned_at", Moment(), nullable=True),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("exposed", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("listed", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=True),
        sa.Column("open_alerts", sa.BigInteger(), nullable=False),
        sa.Column("open_incidents", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.BigInteger(), nullable=False),
        sa.Column("urgency", sa.BigInteger(), nullable=False),
        sa.Column("wants_inventory", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name=op.f("stores_entity_id_fkey")),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("stores_region_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("stores_pkey")),
        sa.UniqueConstraint("public_key", name=op.f("stores_public_key_key")),
    )
    op.create_index("stores_name", "stores", ["name"], unique=False)
    op.create_index("stores_urgency", "stores", ["urgency", "persons"], unique=False)
    op.create_table(
        "substitutions",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("substitute_id", sa.String(length=40), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("substitutions_person_id_fkey")),
        sa.ForeignKeyConstraint(["substitute_id"], ["people.id"], name=op.f("substitutions_substitute_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "substitute_id", "first", name=op.f("substitutions_pkey")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("webhook_id", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("webhook_deliveries_webhook_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
    )
    op.create_index("webhook_deliveries_next", "webhook_deliveries", ["next_at"], unique=False)
    op.create_index(op.f("webhook_deliveries_webhook_id"), "webhook_deliveries", ["webhook_id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("alert_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("alerts_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "alert_id", name=op.f("alerts_pkey")),
    )
    op.create_index("alerts_at", "alerts", ["at"], unique=False)
    op.create_index("alerts_open", "alerts", ["store_id", "is_open", "at"], unique=False)
    op.create_index("alerts_recent", "alerts", ["is_open", "at"], unique=False)
    op.create_table(
        "anchors",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=128), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("anchors_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "entries", name=op.f("anchors_pkey")),
    )
    op.create_table(
        "catalogued",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("catalogued_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "kind", name=op.f("catalogued_pkey")),
    )
    op.create_table(
        "certificates",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issued_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("certificates_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "serial", name=op.f("certificates_pkey")),
    )
    op.create_table(
        "day_figures",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("exposed", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("open_alerts", sa.BigInteger(), nullable=False),
        sa.Column("open_incidents", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("day_figures_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "day", name=op.f("day_figures_pkey")),
    )
    op.create_index("day_figures_day", "day_figures", ["day", "store_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("told_at", Moment(), nullable=True),
        sa.Column("acknowledged_at", Moment(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("report_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("deliveries_order_id_fkey")),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("deliveries_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "number", name=op.f("deliveries_pkey")),
    )
    op.create_index(op.f("deliveries_order_id"), "deliveries", ["order_id"], unique=False)
    op.create_index(
        "deliveries_trouble",
        "deliveries",
        ["acknowledged_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('refused', 'failed')"),
        sqlite_where=sa.text("state IN ('refused', 'failed')"),
    )
    op.create_table(
        "drills",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("drill_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("drills_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "drill_id", name=op.f("drills_pkey")),
    )
    op.create_index("drills_store", "drills", ["store_id", "at"], unique=False)
    op.create_table(
        "faults",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("detail", sa.String(length=300), nullable=False),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("faults_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "kind", name=op.f("faults_pkey")),
    )
    op.create_table(
        "gaps",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("gaps_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "number", name=op.f("gaps_pkey")),
    )
    op.create_table(
        "holdings",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("exposed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("holdings_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "label", "kind", "level", name=op.f("holdings_pkey")),
    )
    op.create_index("holdings_label", "holdings", ["label", "store_id", "places", "persons", "exposed"], unique=False)
    op.create_index("holdings_level", "holdings", ["level", "store_id", "places", "exposed"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("incident_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("discovered_at", Moment(), nullable=False),
        sa.Column("deadline_at", Moment(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("incidents_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "incident_id", name=op.f("incidents_pkey")),
    )
    op.create_index(op.f("incidents_case_id"), "incidents", ["case_id"], unique=False)
    op.create_index("incidents_discovered", "incidents", ["discovered_at"], unique=False)
    op.create_index("incidents_id", "incidents", ["incident_id"], unique=False)
    op.create_index("incidents_open", "incidents", ["is_open", "discovered_at"], unique=False)
    op.create_table(
        "instances",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("instance", sa.String(length=40), nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("instances_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "instance", name=op.f("instances_pkey")),
    )
    op.create_table(
        "papers",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("incident_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("media", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("written_at", Moment(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("papers_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "incident_id", "name", name=op.f("papers_pkey")),
    )
    op.create_table(
        "people_pushes",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("pushed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("people_pushes_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", name=op.f("people_pushes_pkey")),
    )
    op.create_table(
        "person_segments",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("incident_id", sa.String(length=80), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("sensitive", sa.BigInteger(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=True),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("person_segments_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "incident_id", "part", name=op.f("person_segments_pkey")),
    )
    op.create_index("person_segments_incident", "person_segments", ["store_id", "incident_id"], unique=False)
    op.create_table(
        "reports",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("written_at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("reports_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "number", name=op.f("reports_pkey")),
    )
    op.create_table(
        "sections",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("section", sa.String(length=4), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digests", sa.JSON(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("sections_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "section", name=op.f("sections_pkey")),
    )
    op.create_table(
        "snapshots",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("written_at", Moment(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("snapshots_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "kind", name=op.f("snapshots_pkey")),
    )
    op.create_index("snapshots_kind", "snapshots", ["kind", "store_id"], unique=False)
    op.create_table(
        "store_keys",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("store_keys_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "public_key", name=op.f("store_keys_pkey")),
    )
    op.create_table(
        "training_figures",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("staff", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("overdue", sa.BigInteger(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("training_figures_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", name=op.f("training_figures_pkey")),
    )
    op.create_table(
        "vendor_shares",
        sa.Column("store_id", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("shared", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("contract_until", Moment(), nullable=True),
        sa.Column("window_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("vendor_shares_store_id_fkey")),
        sa.PrimaryKeyConstraint("store_id", "vendor_id", name=op.f("vendor_shares_pkey")),
    )
    make_default(op.get_bind())
    compress_fast(op.get_bind())


def downgrade() -> None:
    """Head office's database is never taken back to an older version: restore the backup instead."""
    raise NotImplementedError
