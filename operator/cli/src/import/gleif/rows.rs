//! The rows of GLEIF's files, and how each kind of file is told.

/// A legal entity: Level 1, LEI-CDF 3.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) lei: String,
    pub(super) name: String,
    pub(super) jurisdiction: String,
    pub(super) legal_country: String,
    pub(super) headquarters_country: String,
    pub(super) register: String,
    pub(super) register_id: String,
    pub(super) category: String,
    pub(super) status: String,
    pub(super) registration: String,
}

/// Who consolidates whom: Level 2, RR-CDF 2.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) child: String,
    pub(super) parent: String,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) registration: String,
}

/// Why nobody is named: Level 2, reporting exceptions 2.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) lei: String,
    pub(super) category: String,
    pub(super) reasons: Vec<String>,
}

/// A row of any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Entity(Entity),
    Relation(Relation),
    Exception(Exception),
}

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Entities,
    Relations,
    Exceptions,
}

/// The columns of each kind of file, in the order of the fields above.
pub(super) const ENTITY: [&str; 10] = [
    "LEI",
    "Entity.LegalName",
    "Entity.LegalJurisdiction",
    "Entity.LegalAddress.Country",
    "Entity.HeadquartersAddress.Country",
    "Entity.RegistrationAuthority.RegistrationAuthorityID",
    "Entity.RegistrationAuthority.RegistrationAuthorityEntityID",
    "Entity.EntityCategory",
    "Entity.EntityStatus",
    "Registration.RegistrationStatus",
];
pub(super) const RELATION: [&str; 5] = [
    "Relationship.StartNode.NodeID",
    "Relationship.EndNode.NodeID",
    "Relationship.RelationshipType",
    "Relationship.RelationshipStatus",
    "Registration.RegistrationStatus",
];
/// Reasons are in as many columns as the most that an entity has.
pub(super) const EXCEPTION: [&str; 3] = ["LEI", "Exception.Category", "Exception.Reason.1"];
pub(super) const REASONS_MAX: usize = 16;

impl Entity {
    pub(super) fn new(fields: [String; 10]) -> Self {
        let [
            lei,
            name,
            jurisdiction,
            legal_country,
            headquarters_country,
            register,
            register_id,
            category,
            status,
            registration,
        ] = fields;
        Self {
            lei,
            name,
            jurisdiction,
            legal_country,
            headquarters_country,
            register,
            register_id,
            category,
            status,
            registration,
        }
    }
}

impl Relation {
    pub(super) fn new(fields: [String; 5]) -> Self {
        let [child, parent, kind, status, registration] = fields;
        Self { child, parent, kind, status, registration }
    }
}
