-- Written by `python -m deploy.metric_views` from models/semantic_models.yml. Parameter: catalog.
declare or replace variable statement string;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.gym_visits_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.gym_summary\'
comment: Visits (gym_summary); profile as of the login.
dimensions:
- name: visit_date
  expr: visit_date
  comment: Gym\'s local date of the login.
- name: gym_id
  expr: gym_id
  comment: Gym id.
- name: local_hour
  expr: local_hour
  comment: Gym\'s local hour of the login.
- name: age_band
  expr: age_band
  comment: Age band.
- name: sex
  expr: sex
  comment: Sex.
- name: gender
  expr: gender
  comment: Gender.
- name: city
  expr: city
  comment: City.
- name: state
  expr: state
  comment: State.
measures:
- name: gym_visits
  expr: SUM(1)
  comment: Visits, open and unowned ones too.
- name: members_visits
  expr: SUM(case when user_id is not null then 1 else 0 end)
  comment: Visits with a known owner.
- name: visiting_members
  expr: COUNT(DISTINCT user_id)
  comment: \'Members with a visit, distinct over the span: days do not add up.\'
- name: visits_per_member
  expr: MEASURE(members_visits) / nullif(MEASURE(visiting_members), 0)
  comment: Visits of members by members with a visit.
- name: gym_minutes
  expr: SUM(cast(minutes_in_gym as decimal(20, 2)))
  comment: Minutes of closed visits.
- name: gym_exercise_minutes
  expr: SUM(cast(case when minutes_in_gym is not null then minutes_exercising end as decimal(20, 2)))
  comment: Exercise minutes of closed visits.
- name: exercise_share
  expr: MEASURE(gym_exercise_minutes) / nullif(MEASURE(gym_minutes), 0)
  comment: Exercise share of closed visits\' minutes.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.workouts_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.workout_bpm_summary\'
comment: Workouts (workout_bpm_summary); profile as of the start.
dimensions:
- name: workout_date
  expr: workout_date
  comment: Member\'s local date of the start.
- name: gym_id
  expr: gym_id
  comment: Gym id.
- name: zone_basis
  expr: zone_basis
  comment: \'`reserve` or `maximum`.\'
- name: age_band
  expr: age_band
  comment: Age band.
- name: sex
  expr: sex
  comment: Sex.
- name: gender
  expr: gender
  comment: Gender.
- name: city
  expr: city
  comment: City.
- name: state
  expr: state
  comment: State.
measures:
- name: workouts
  expr: SUM(1)
  comment: Completed sessions with a reading.
- name: median_workout_minutes
  expr: MEDIAN((unix_micros(ended_at) - unix_micros(started_at)) / 60000000.0D)
  comment: Median length, minutes.
- name: mean_workout_bpm
  expr: AVG(avg_bpm)
  comment: Mean over workouts of their mean heart rate.
- name: mean_recovery_bpm
  expr: AVG(heart_rate_recovery_bpm)
  comment: Mean over workouts of the fall in the minute after.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.days_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.daily_heart_rates\'
comment: Member days (daily_heart_rates); profile of the day.
dimensions:
- name: date_day
  expr: \'`date`\'
  comment: Member\'s local date.
- name: zone_basis
  expr: zone_basis
  comment: \'`reserve` or `maximum`.\'
- name: age_band
  expr: age_band
  comment: Age band.
- name: sex
  expr: sex
  comment: Sex.
- name: gender
  expr: gender
  comment: Gender.
- name: city
  expr: city
  comment: City.
- name: state
  expr: state
  comment: State.
measures:
- name: member_days
  expr: SUM(1)
  comment: Member days with readings.
- name: active_zone_minutes
  expr: SUM(cast(active_zone_minutes as decimal(20, 2)))
  comment: Fat burn once, cardio and peak twice (Fitbit\'s rule).
- name: active_zone_minutes_per_week
  expr: 7 * MEASURE(active_zone_minutes) / MEASURE(member_days)
  comment: Of seven days with readings, mean over member days.
- name: mean_resting_bpm_estimate
  expr: AVG(resting_bpm_estimate)
  comment: Mean over member days.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.members_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.member_activity\'
comment: Members (member_activity); profile as of as_of_date.
dimensions:
- name: as_of_date
  expr: as_of_date
  comment: Day looked back from.
- name: age_band
  expr: age_band
  comment: Age band.
- name: sex
  expr: sex
  comment: Sex.
- name: gender
  expr: gender
  comment: Gender.
- name: city
  expr: city
  comment: City.
- name: state
  expr: state
  comment: State.
measures:
- name: members
  expr: SUM(1)
  comment: Members as of as_of_date.
- name: inactive_members
  expr: COUNT_IF(is_inactive)
  comment: No visit or workout in the last 14 days.
- name: falling_members
  expr: COUNT_IF(is_falling)
  comment: 6 visits or more in the 84 days before the last 28, under half that rate since.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.cohorts_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.member_cohorts\'
comment: Cohorts that are shown (member_cohorts).
dimensions:
- name: cohort_month
  expr: cohort_month
  comment: Month of the first visit or workout.
- name: months_since
  expr: months_since
  comment: Full months since then.
measures:
- name: cohort_members
  expr: SUM(case when not is_suppressed then members end)
  comment: Members of cohorts, in each month since.
- name: active_cohort_members
  expr: SUM(case when not is_suppressed then active end)
  comment: Those with a visit or workout in the month.
- name: retention
  expr: MEASURE(active_cohort_members) / nullif(MEASURE(cohort_members), 0)
  comment: Share of a cohort active in a month since.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.gym_hours_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.gym_hours\'
comment: Gyms by hour (gym_hours).
dimensions:
- name: local_date
  expr: local_date
  comment: Gym\'s local date.
- name: gym_id
  expr: gym_id
  comment: Gym id.
- name: local_hour
  expr: local_hour
  comment: Gym\'s local hour.
measures:
- name: peak_members
  expr: SUM(case when capacity is not null then peak_members end)
  comment: Greatest number at once, summed over hours of gyms with a known capacity.
- name: hours_capacity
  expr: SUM(case when peak_members is not null then capacity end)
  comment: Capacity, summed over the same hours.
- name: occupancy
  expr: MEASURE(peak_members) / nullif(MEASURE(hours_capacity), 0)
  comment: Most members at once by capacity, over all hours.
$$',
    '{catalog}', :catalog
);
execute immediate statement;

set variable statement = replace(
    'create or replace view `{catalog}`.gold.feeds_metrics with metrics language yaml as $$
version: 1.1
source: \'`{catalog}`.gold.pipeline_health\'
comment: Feeds by day (pipeline_health).
dimensions:
- name: arrival_date
  expr: arrival_date
  comment: UTC date of arrival.
- name: feed
  expr: feed
  comment: Feed.
measures:
- name: records_received
  expr: SUM(received)
  comment: Records that arrived.
- name: records_rejected
  expr: SUM(rejected)
  comment: Records that were rejected.
- name: reject_rate
  expr: MEASURE(records_rejected) / nullif(MEASURE(records_received), 0)
  comment: Rejected share of received records.
- name: records_late
  expr: SUM(late)
  comment: Valid records over an hour behind their event.
$$',
    '{catalog}', :catalog
);
execute immediate statement;
