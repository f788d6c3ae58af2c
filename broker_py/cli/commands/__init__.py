"""The sub-commands of mqadmin, by what they are about; imported when one of them is used."""
