"""What licences allow, as far as a name tells."""

# Commercial use without asking, counting users or limits to what it may be used for. Conditions such as naming the
# author or giving changes back may apply.
COMMERCIAL = frozenset(
    {
        *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0"),
        *("cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0"),
        *("cdla-permissive-2.0", "ecl-2.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "gpl", "gpl-2.0", "gpl-3.0", "isc"),
        *("lgpl", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "ms-pl", "ncsa", "odc-by", "ofl-1.1", "osl-3.0"),
        *("pddl", "postgresql", "unlicense", "wtfpl", "zlib"),
    }
)
