# Is everything all right.
overview-title = Overview
overview-jobs = Jobs
overview-dependencies = Dependencies
overview-no-dependencies = This process depends on nothing yet.
overview-as-of = As of
