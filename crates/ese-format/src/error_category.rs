//! What kind of failure an error number stands for.

use std::fmt;

use crate::JetError;

/// Kind of an error (`JET_ERRCAT`). Kinds form a tree below [`ERROR`](Self::ERROR). Unknown numbers are kept.
#[doc(alias = "JET_ERRCAT")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCategory(pub u32);

macro_rules! categories {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal in $parent:expr;)*) => {
        impl ErrorCategory {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The kind that this one is a part of; `None` at the top, and for numbers that are no kind.
            #[must_use]
            pub const fn parent(self) -> Option<Self> {
                match self {
                    $(Self::$name => $parent,)*
                    _ => None,
                }
            }

            /// The engine's word.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

categories! {
    /// Nothing is known.
    #[doc(alias = "JET_errcatUnknown")]
    UNKNOWN = 0 "Unknown" in None;
    /// Any error.
    #[doc(alias = "JET_errcatError")]
    ERROR = 1 "Error" in None;
    /// Something went wrong while it was done; most of these may work another time.
    #[doc(alias = "JET_errcatOperation")]
    OPERATION = 2 "Operation" in Some(Self::ERROR);
    /// Nothing helps but a restart.
    #[doc(alias = "JET_errcatFatal")]
    FATAL = 3 "Fatal" in Some(Self::OPERATION);
    /// The disk failed, for now or for good.
    #[doc(alias = "JET_errcatIO")]
    IO = 4 "IO" in Some(Self::OPERATION);
    /// Something has run out.
    #[doc(alias = "JET_errcatResource")]
    RESOURCE = 5 "Resource" in Some(Self::OPERATION);
    /// Memory has run out.
    #[doc(alias = "JET_errcatMemory")]
    MEMORY = 6 "Memory" in Some(Self::RESOURCE);
    /// A configured limit is reached.
    #[doc(alias = "JET_errcatQuota")]
    QUOTA = 7 "Quota" in Some(Self::RESOURCE);
    /// The disk is full.
    #[doc(alias = "JET_errcatDisk")]
    DISK = 8 "Disk" in Some(Self::RESOURCE);
    /// The data.
    #[doc(alias = "JET_errcatData")]
    DATA = 9 "Data" in Some(Self::ERROR);
    /// Data is damaged.
    #[doc(alias = "JET_errcatCorruption")]
    CORRUPTION = 10 "Corruption" in Some(Self::DATA);
    /// Files that do not belong together, or a step was left out.
    #[doc(alias = "JET_errcatInconsistent")]
    INCONSISTENT = 11 "Inconsistent" in Some(Self::DATA);
    /// Numbers or space within a database have run out; a compacted copy helps.
    #[doc(alias = "JET_errcatFragmentation")]
    FRAGMENTATION = 12 "Fragmentation" in Some(Self::DATA);
    /// The calls.
    #[doc(alias = "JET_errcatApi")]
    API = 13 "Api" in Some(Self::ERROR);
    /// A wrong call.
    #[doc(alias = "JET_errcatUsage")]
    USAGE = 14 "Usage" in Some(Self::API);
    /// A call at the wrong time, or an answer that callers expect.
    #[doc(alias = "JET_errcatState")]
    STATE = 15 "State" in Some(Self::API);
    /// No longer in use.
    #[doc(alias = "JET_errcatObsolete")]
    OBSOLETE = 16 "Obsolete" in Some(Self::API);
}

impl ErrorCategory {
    /// The way from the top of the tree to this kind, one byte each, the rest 0, as the engine's structure has it.
    #[doc(alias = "rgCategoricalHierarchy")]
    #[must_use]
    pub fn hierarchy(self) -> [u8; 8] {
        let mut up = vec![self];
        while let Some(parent) = up.last().and_then(|kind| kind.parent()) {
            up.push(parent);
        }
        let mut bytes = [0; 8];
        for (place, kind) in bytes.iter_mut().zip(up.into_iter().rev()) {
            *place = u8::try_from(kind.0).unwrap_or(0);
        }
        bytes
    }
}

impl fmt::Debug for ErrorCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "category {}", self.0),
        }
    }
}

/// What is known about an error number.
///
/// As the engine hands it out, 152 bytes, little-endian:
///
/// | offset | size | field | note |
/// |-------:|-----:|-------|------|
/// | 0 | 4 | `cbStruct` | 152 |
/// | 4 | 4 | `errValue` | the number |
/// | 8 | 4 | `errcatMostSpecific` | its kind |
/// | 12 | 8 | `rgCategoricalHierarchy` | kinds from the top, one byte each |
/// | 20 | 4 | `lSourceLine` | 0 |
/// | 24 | 128 | `rgszSourceFile` | empty |
#[doc(alias = "JET_ERRINFOBASIC")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorInfo {
    /// The number.
    pub error: JetError,
    /// Its kind.
    pub category: ErrorCategory,
}

impl ErrorInfo {
    /// Bytes of the engine's structure.
    pub const SIZE: usize = 152;

    /// The engine's structure.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let fields = [152_u32.to_le_bytes(), self.error.0.to_le_bytes(), self.category.0.to_le_bytes()];
        let known = fields.into_iter().flatten().chain(self.category.hierarchy());
        for (place, byte) in bytes.iter_mut().zip(known) {
            *place = byte;
        }
        bytes
    }
}

impl JetError {
    /// What kind of failure the number stands for; `None` for a number that the engine does not know, which its own call
    /// refuses with [`INVALID_PARAMETER`](Self::INVALID_PARAMETER). Numbers of the engine's inner layers are known too.
    #[must_use]
    pub fn category(self) -> Option<ErrorCategory> {
        NUMBERS.iter().find(|(_, numbers)| numbers.contains(&self.0)).map(|(category, _)| *category)
    }

    /// What is known about the number.
    #[doc(alias = "JetGetErrorInfo")]
    #[doc(alias = "JET_ErrorInfoSpecificErr")]
    #[must_use]
    pub fn info(self) -> Option<ErrorInfo> {
        Some(ErrorInfo { error: self, category: self.category()? })
    }
}

/// Every number of the engine by its kind.
const NUMBERS: &[(ErrorCategory, &[i32])] = &[
    (
        ErrorCategory::UNKNOWN,
        &[
            -100, -101, -102, 200, -201, -202, -203, 204, 205, 206, -250, -251, -252, -253, -254, -256, -257,
            -258, -259, -260, -261, -262, -263, -264, -266, -267, -268, -269, -270, -271, -272, 275, -300,
            -301, -302, -303, 304, -305, -306, -307, 308, -309, 310, -311, 312, 313, 314, -315, -316, -317,
            -318, 319, -320, -323, -324, -325, -326, -328, 329, -330, -331, -332, 333, 335, -336, 337, 339,
            -340, -342, -349, -350, 356, 400, -401, 402, 403, 404, 407, -408, 409, 410, 411, 414, 415, 417,
            -418, -419, 420, 422, 425, -429, -430, -500, -502, -518, -531, -534, -538, -540, -549, -552, 558,
            559, -561, 564, -575, -576, -580, -581, -624, -800, -1027, -1035, -1043, -1044, -1052, 1055,
            -1061, 1067, -1070, -1091, -1109, -1150, -1151, -1152, -1153, -1154, -1160, -1161, -1162, 1163,
            1164, -1210, -1211, -1212, -1218, -1223, 1301, -1314, -1316, -1320, -1321, -1330, -1331, -1332,
            1333, -1401, -1501, -1505, -1514, -1519, 1522, 1523, 1527, 1610, -1611, 1618, -1619, -1702,
            -1803, -1907, -1909, -1924, -1939, -1940, -2405, -4000, -4002, -4003, -4004,
        ],
    ),
    (
        ErrorCategory::OPERATION,
        &[-107, -116, -118, -334, -602, -604, -801, -1000, -1031, -1072, -1329, -2402],
    ),
    (ErrorCategory::FATAL, &[-108, -113, -114, -115, -511, -583, -1090, -1092, -1917]),
    (ErrorCategory::IO, &[-510, -524, -525, -1022, -1032, 4010]),
    (ErrorCategory::RESOURCE, &[-105, -106, 110, 111, -117, -802, -4006]),
    (ErrorCategory::MEMORY, &[-103, 1009, -1011, -1013, -1014, -1020, -1073, -1101, -1410, -1701]),
    (ErrorCategory::QUOTA, &[-614, -618, -1012, -1069, -1214, -1311, 1908, 2005]),
    (ErrorCategory::DISK, &[-529, -1808]),
    (
        ErrorCategory::CORRUPTION,
        &[
            -255, -322, -327, -338, -341, -343, -344, -351, -354, -357, -358, -431, -501, -509, -515, -528,
            -533, -536, -566, -567, -570, -571, -573, -574, -582, -586, -590, -596, -612, -625, -626, -1018,
            -1019, -1021, -1118, -1119, -1121, -1123, -1206, -1220, -1412, -1413, -1414, 1417, 1418, -1526,
            -1529, -1620, -1622, -1852, -1915, -1921, -1922, -1947, -1948, -4001,
        ],
    ),
    (
        ErrorCategory::INCONSISTENT,
        &[
            -513, -514, -530, -532, -535, -539, -542, -543, -550, -551, -553, -554, -555, -556, -557, -565,
            -569, -610, -611, -1209, -1213, -1216, -1225, -1226, -1812, -1814, -1923,
        ],
    ),
    (ErrorCategory::FRAGMENTATION, &[-519, -546, -548, -1074, -1075, -1076, -1077, -1078, -1926]),
    (
        ErrorCategory::USAGE,
        &[
            -1, -112, -416, -423, -424, -503, -504, -516, -517, -521, -526, -541, -544, -577, -603, -615,
            -616, -619, -620, -621, -900, -1001, -1002, -1003, -1008, -1010, -1015, -1016, -1023, -1024,
            -1025, -1028, -1029, -1030, -1034, -1040, -1045, -1046, -1048, -1053, -1054, -1057, 1058, -1059,
            -1062, -1063, -1064, -1065, -1066, -1071, -1080, -1081, -1083, -1084, -1085, -1086, -1087, -1093,
            -1095, -1103, -1104, -1108, -1110, -1111, -1113, -1114, -1115, -1124, -1201, -1202, -1203, -1204,
            -1205, -1207, -1208, -1215, -1217, -1219, -1221, -1222, -1224, -1227, -1230, -1231, -1302, -1307,
            -1308, -1310, -1312, -1313, -1317, -1318, -1319, -1322, -1323, -1324, -1325, -1326, -1328, -1402,
            -1403, -1405, -1406, -1409, -1411, -1416, -1419, -1430, -1431, -1432, -1433, -1434, -1435, -1436,
            -1437, -1438, -1439, -1440, -1502, -1503, -1504, -1506, -1507, -1508, -1509, -1510, -1511, 1512,
            -1515, -1516, -1517, -1521, -1524, -1530, -1538, -1540, -1602, -1604, -1607, -1608, -1609, -1621,
            -1623, -1624, -1625, -1805, -1809, -1850, -1906, -1910, -1911, -1912, -1913, -1914, -1916, -1918,
            -1919, -2004, -2006, -2102, -2103, -2401, -2404, -2501, 2626, -3000, -3001, -4005, -10000,
            -11999,
        ],
    ),
    (
        ErrorCategory::STATE,
        &[
            0, -109, 207, 208, 321, 345, -346, -347, -348, 352, 353, -355, 406, -421, -426, -427, 428, 432,
            433, -434, -505, -506, -512, -520, -523, -527, -545, -547, -560, -562, -563, 578, -579, -584,
            585, 587, 588, -589, 595, -601, -617, -622, -623, 1004, 1006, 1007, -1017, -1026, -1038, 1039,
            -1047, -1051, 1068, -1082, -1094, -1102, -1105, -1112, -1116, 1122, -1228, -1229, -1232, -1303,
            -1304, -1305, 1327, -1404, 1415, -1518, 1520, -1525, -1528, 1531, 1532, 1533, 1534, 1535, 1536,
            1537, 1539, 1541, -1601, -1603, -1605, -1811, 1813, -1920, -1925, -1927, -1928, -1929, -1930,
            -1931, -1932, -1933, -1934, -1935, -1936, -1937, -1938, -1941, -1942, -1943, -1944, -1945, -1946,
            2000, 2001, 2002, 2003, 2100, -2101, -2403, -2502, -2601, 2602, -3002, 4009,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_documented_numbers() {
        for (number, name) in JetError::NAMED {
            assert!(JetError(*number).category().is_some(), "{name}");
        }
        let kind = |error: JetError| error.category().unwrap();
        assert_eq!(kind(JetError::READ_VERIFY_FAILURE), ErrorCategory::CORRUPTION);
        assert_eq!(kind(JetError::OUT_OF_SESSIONS), ErrorCategory::MEMORY);
        assert_eq!(kind(JetError::DISK_FULL), ErrorCategory::DISK);
        assert_eq!(kind(JetError::INVALID_PARAMETER), ErrorCategory::USAGE);
        assert_eq!(kind(JetError::KEY_DUPLICATE), ErrorCategory::STATE);
        assert_eq!(kind(JetError::DISK_IO), ErrorCategory::IO);
        assert_eq!(JetError(-99_999).info(), None);
    }

    #[test]
    fn no_number_is_of_two_kinds() {
        let mut all: Vec<i32> = NUMBERS.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_way_from_the_top() {
        assert_eq!(ErrorCategory::QUOTA.hierarchy(), [1, 2, 5, 7, 0, 0, 0, 0]);
        assert_eq!(ErrorCategory::CORRUPTION.hierarchy(), [1, 9, 10, 0, 0, 0, 0, 0]);
        assert_eq!(ErrorCategory::STATE.hierarchy(), [1, 13, 15, 0, 0, 0, 0, 0]);
        assert_eq!(ErrorCategory::UNKNOWN.hierarchy(), [0; 8]);
    }

    #[test]
    fn the_structure() {
        let bytes = JetError::OUT_OF_SESSIONS.info().unwrap().to_bytes();
        assert_eq!(bytes[..4], [152, 0, 0, 0]);
        assert_eq!(bytes[4..8], (-1101_i32).to_le_bytes());
        assert_eq!(bytes[8..20], [6, 0, 0, 0, 1, 2, 5, 6, 0, 0, 0, 0]);
        assert_eq!(bytes[20..], [0; 132]);
    }
}
