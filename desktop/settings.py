"""Every setting, declared once: the declaration drives validation, the settings page and docs/settings.md.

The file is JSON. A file that cannot be read as a whole is kept aside and defaults are used; a single bad value falls
back to its default. Either way `SettingsStore.notices` says so, and the faces of the app tell the person.
"""
