-- A database of revision 0001 as it was before its tables had a prefix.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE idempotency_key (
	owner TEXT NOT NULL,
	"key" TEXT NOT NULL,
	fingerprint BLOB NOT NULL,
	result BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_idempotency_key PRIMARY KEY (owner, "key")
);
CREATE TABLE life (
	id INTEGER NOT NULL,
	epoch TEXT NOT NULL,
	CONSTRAINT pk_life PRIMARY KEY (id),
	CONSTRAINT ck_life_single_row CHECK (id = 1)
);
CREATE TABLE message (
	id TEXT NOT NULL,
	from_user_id TEXT NOT NULL,
	to_user_id TEXT NOT NULL,
	message TEXT NOT NULL,
	client_msg_id TEXT,
	seq BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	read_at BIGINT,
	CONSTRAINT pk_message PRIMARY KEY (id)
);
CREATE TABLE notification (
	id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	type TEXT NOT NULL,
	title TEXT NOT NULL,
	message TEXT NOT NULL,
	data BLOB NOT NULL,
	category TEXT,
	priority TEXT NOT NULL,
	sound TEXT,
	created_at BIGINT NOT NULL,
	seen_at BIGINT,
	read_at BIGINT,
	expires_at BIGINT,
	CONSTRAINT pk_notification PRIMARY KEY (id)
);
CREATE TABLE stream (
	user_id TEXT NOT NULL,
	namespace TEXT NOT NULL,
	seq BIGINT NOT NULL,
	pruned BIGINT NOT NULL,
	acked BIGINT NOT NULL,
	CONSTRAINT pk_stream PRIMARY KEY (user_id, namespace)
)
 WITHOUT ROWID
;
CREATE TABLE stream_event (
	user_id TEXT NOT NULL,
	namespace TEXT NOT NULL,
	seq BIGINT NOT NULL,
	event_id TEXT NOT NULL,
	event TEXT NOT NULL,
	payload BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_stream_event PRIMARY KEY (user_id, namespace, seq)
);
CREATE INDEX ix_stream_event_created_at ON stream_event (created_at);
CREATE INDEX ix_notification_inbox ON notification (user_id, seq, expires_at);
CREATE INDEX ix_notification_unread ON notification (user_id, read_at, seq, category, seen_at, expires_at) WHERE read_at IS NULL;
CREATE INDEX ix_notification_expires_at ON notification (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX ix_message_client_msg_id ON message (from_user_id, client_msg_id) WHERE client_msg_id IS NOT NULL;
CREATE INDEX ix_idempotency_key_created_at ON idempotency_key (created_at);
