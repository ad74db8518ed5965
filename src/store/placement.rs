//! Where the rows of each table are once one database server is outgrown: DESIGN §5 on Citus.

use super::{Store, StoreError};

/// Where a table's rows are on a distributed engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On every server, the same: small, seldom written, joined with anything.
    Everywhere,
    /// With the person whose they are: all rows of one person are on one server.
    ByPerson,
    /// By the value that they are found by: the column that leads the primary key.
    By(&'static str),
    /// Where the statements arrive, as on one server: what one node at a time does. Citus takes no `now()` in what follows
    /// `ON CONFLICT`, of which a lease is made; and on a table that is everywhere, numbering an outbox would wait for every
    /// transaction that writes to it.
    Coordinator,
}

/// Every table of the schema, those that others refer to first.
pub const PLACEMENTS: &[(&str, Placement)] = {
    use Placement::{By, ByPerson, Coordinator, Everywhere};
    &[
        ("province", Everywhere),
        ("facility", Everywhere),
        ("issuer_key", Everywhere),
        ("version", Everywhere),
        ("signer_key", Everywhere),
        ("signed_resource", Everywhere),
        ("rules", Everywhere),
        ("revocation_batch", Coordinator),
        ("revocation", Coordinator),
        ("revocation_event", Coordinator),
        ("foreign_revocation_batch", Coordinator),
        ("foreign_revocation", Coordinator),
        ("lease", Coordinator),
        ("replica_beat", Coordinator),
        ("log_pending", Coordinator),
        ("log_tile", Coordinator),
        ("log_head", Coordinator),
        ("status_invalid", Coordinator),
        ("status_list", Coordinator),
        ("status_reached", Coordinator),
        ("counter", Coordinator),
        ("beat", Coordinator),
        ("person", ByPerson),
        ("dose", ByPerson),
        ("certificate", ByPerson),
        ("dose_change", ByPerson),
        ("correction", ByPerson),
        ("attachment", ByPerson),
        ("reaction", ByPerson),
        ("registration", ByPerson),
        ("person_claim", ByPerson),
        ("person_session", ByPerson),
        ("person_by_identity", By("identity_hash")),
        ("person_by_phone", By("phone_hash")),
        ("dose_by_record", By("facility_code")),
        ("certificate_by_uvci", By("uvci")),
        ("log_entry", By("head")),
        ("registration_by_district", By("district_code")),
        ("correction_by_facility", By("facility_code")),
        ("dose_change_by_facility", By("facility_code")),
        ("account", By("account_id")),
        ("account_member", By("account_id")),
        ("account_by_phone", By("phone_hash")),
        ("session_end", By("bucket")),
        ("claim_day", By("account_id")),
        ("phone_day", By("phone_hash")),
        ("challenge", By("challenge_id")),
        ("session", By("facility_code")),
        ("session_place", By("session_id")),
        ("import", By("import_id")),
        ("import_by_file", By("file_hash")),
        ("import_reject", By("import_id")),
        ("idempotency", By("key_hash")),
        ("audit", By("bucket")),
        ("ticket", By("bucket")),
        ("tally", By("tally_id")),
    ]
};

impl Store {
    /// Whether our tables are spread over the servers of a Citus cluster.
    pub(super) async fn is_spread(&self) -> Result<bool, StoreError> {
        if !self.on_citus {
            return Ok(false);
        }
        let client = self.client().await?;
        let sql =
            "-- is spread\nSELECT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass('person'))";
        Ok(client.query_one(sql, &[]).await?.get(0))
    }

    /// Spreads the tables over the servers of a Citus cluster, rows that are there already with them; those that are spread
    /// stay as they are. All of it is done, or nothing.
    ///
    /// Errors: [`StoreError::Migration`] where the database is not Citus's.
    pub async fn spread(&self) -> Result<(), StoreError> {
        if !self.on_citus {
            let what = "the extension citus is not in this database; add it on the coordinator and on every worker";
            return Err(StoreError::Migration(what.into()));
        }
        let mut client = self.client().await?;
        let tx = client.transaction().await?;
        // Moving rows takes as long as it takes; one shard after the other, for the tables refer to each other.
        tx.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
            .await?;
        let sql = "-- placed tables
                   SELECT c.relname::text FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid
                   WHERE c.relnamespace = current_schema::regnamespace";
        let placed: Vec<String> = tx.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
        for (table, placement) in PLACEMENTS.iter().filter(|(table, _)| !placed.iter().any(|name| name == table)) {
            let (column, with) = match placement {
                Placement::Coordinator => continue,
                Placement::Everywhere => {
                    let sql = "-- place everywhere\nSELECT create_reference_table(($1::text)::regclass)";
                    tx.query(sql, &[table]).await?;
                    continue;
                }
                // On its own, and not with whatever else there is by a column of that type: it is moved by itself, and nobody
                // who makes or drops tables in another schema waits for ours.
                Placement::ByPerson if *table == "person" => ("person_id", "none"),
                Placement::ByPerson => ("person_id", "person"),
                Placement::By(column) => (*column, "none"),
            };
            let sql =
                "-- place by column\nSELECT create_distributed_table(($1::text)::regclass, $2, colocate_with => $3)";
            tx.query(sql, &[table, /* column */ &column, /* colocate_with */ &with]).await?;
        }
        Ok(tx.commit().await?)
    }
}
