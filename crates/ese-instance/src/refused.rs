//! Calls of the engine's interface that are answered with a refusal: what the original refuses too, and what this engine
//! does not do.

use ese_format::JetError;

macro_rules! refused {
    ($($(#[$alias:meta])* $name:ident: $number:ident, $what:literal;)*) => {
        /// A call that is refused, whatever its arguments. See [`jet_error`](Self::jet_error).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusedCall {
            $(
                $(#[$alias])*
                #[doc = $what]
                $name,
            )*
        }

        impl RefusedCall {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number that the call answers.
            #[must_use]
            pub const fn jet_error(self) -> JetError {
                match self {
                    $(Self::$name => JetError::$number,)*
                }
            }

            /// Why.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

refused! {
    #[doc(alias = "JetSnapshotStart")]
    SnapshotStart: WRN_NYI, "Exists in the original and does nothing.";
    #[doc(alias = "JetSnapshotStop")]
    SnapshotStop: WRN_NYI, "Exists in the original and does nothing.";
    #[doc(alias = "JetUpgradeDatabase")]
    UpgradeDatabase: WRN_NYI, "Formats that can be converted are not supported any more, by the original neither.";
    #[doc(alias = "JetDefragment3")]
    Defragment3: INVALID_PARAMETER, "Obsolete in the original: see the defragmentation of an open database.";
    #[doc(alias = "JetGetCounter")]
    GetCounter: FEATURE_NOT_AVAILABLE, "Counters of old, refused by the original.";
    #[doc(alias = "JetResetCounter")]
    ResetCounter: FEATURE_NOT_AVAILABLE, "Counters of old, refused by the original.";
    #[doc(alias = "JetPrepareToCommitTransaction")]
    PrepareToCommitTransaction: FEATURE_NOT_AVAILABLE, "Distributed transactions, which the original is built without.";
    #[doc(alias = "JetTracing")]
    Tracing: DISABLED_FUNCTIONALITY, "Traces go to `tracing`; the original is built without its own.";
    #[doc(alias = "JetConvertDDL")]
    ConvertDefinitions: FEATURE_NOT_AVAILABLE, "Conversions of definitions in place.";
    #[doc(alias = "JetCreateEncryptionKey")]
    CreateEncryptionKey: FEATURE_NOT_AVAILABLE, "Encrypted columns.";
    #[doc(alias = "JetGetResourceParam")]
    GetResourceParameter: FEATURE_NOT_AVAILABLE, "Resource pools of the original, which there are not.";
    #[doc(alias = "JetSetResourceParam")]
    SetResourceParameter: FEATURE_NOT_AVAILABLE, "Resource pools of the original, which there are not.";
    #[doc(alias = "JetOnlinePatchDatabasePage")]
    OnlinePatchDatabasePage: FEATURE_NOT_AVAILABLE, "Pages from another copy of the database.";
    #[doc(alias = "JetPatchDatabasePages")]
    PatchDatabasePages: FEATURE_NOT_AVAILABLE, "Pages from another copy of the database.";
    #[doc(alias = "JetGetDatabasePages")]
    GetDatabasePages: FEATURE_NOT_AVAILABLE, "Pages for another copy of the database.";
    #[doc(alias = "JetBeginDatabaseIncrementalReseed")]
    BeginDatabaseIncrementalReseed: FEATURE_NOT_AVAILABLE, "Reseeding from another copy of the database.";
    #[doc(alias = "JetEndDatabaseIncrementalReseed")]
    EndDatabaseIncrementalReseed: FEATURE_NOT_AVAILABLE, "Reseeding from another copy of the database.";
    #[doc(alias = "JetBeginSurrogateBackup")]
    BeginSurrogateBackup: FEATURE_NOT_AVAILABLE, "Backups that another host makes.";
    #[doc(alias = "JetEndSurrogateBackup")]
    EndSurrogateBackup: FEATURE_NOT_AVAILABLE, "Backups that another host makes.";
    #[doc(alias = "JetRemoveLogfile")]
    RemoveLogFile: FEATURE_NOT_AVAILABLE, "Taking the last committed log from a database that needs recovery.";
    #[doc(alias = "JetConfigureProcessForCrashDump")]
    ConfigureProcessForCrashDump: FEATURE_NOT_AVAILABLE, "What a dump of the process holds.";
    #[doc(alias = "JetOpenFileSectionInstance")]
    OpenFileSection: FEATURE_NOT_AVAILABLE, "A backup reads whole files.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_original_keep_their_numbers() {
        for (call, number) in [
            (RefusedCall::SnapshotStart, -1),
            (RefusedCall::UpgradeDatabase, -1),
            (RefusedCall::Defragment3, -1003),
            (RefusedCall::GetCounter, -1001),
            (RefusedCall::PrepareToCommitTransaction, -1001),
            (RefusedCall::Tracing, -112),
        ] {
            assert_eq!(call.jet_error().0, number, "{call:?}");
        }
        assert!(RefusedCall::ALL.iter().all(|call| call.jet_error().0 < 0 && !call.reason().is_empty()));
    }
}
